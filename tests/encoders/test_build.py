import pytest

from tfrec.encoders.audio import AudioEncoder
from tfrec.encoders.build import build_encoder
from tfrec.encoders.image import ImageEncoder
from tfrec.errors import ConfigError
from tfrec.schema import Feature


def test_the_modality_chooses_the_encoder_and_the_settings_reach_it():
    image = build_encoder(Feature("poster", "image", ("poster",), encoder={"size": 32, "dimension": 24}))
    audio = build_encoder(Feature("trailer", "audio", ("trailer",), encoder={"seconds": 1.0}))
    assert isinstance(image, ImageEncoder) and image.dimension == 24 and image.size == 32
    assert isinstance(audio, AudioEncoder) and audio.samples == 16000
    assert (image.name, audio.name) == ("poster", "trailer")


def test_a_feature_name_that_tensorflow_would_refuse_still_builds():
    assert build_encoder(Feature("_Bild (groß)", "image", ("x",))).name == "encoder_Bild__gro__"


@pytest.mark.parametrize("modality", ["text", "image", "audio"])
def test_an_unknown_kind_or_setting_names_the_known_ones(modality):
    with pytest.raises(ConfigError, match=r"encoder of 'x'.*'nonsense'.*(small-cnn|logmel-cnn|hub)"):
        build_encoder(Feature("x", modality, ("x",), encoder={"kind": "nonsense"}))
    with pytest.raises(ConfigError, match="encoder of 'x': unknown key 'nonsense'; the keys are kind"):
        build_encoder(Feature("x", modality, ("x",), encoder={"nonsense": 1}))


def test_an_attribute_needs_no_encoder():
    with pytest.raises(ConfigError, match="'genre' is of modality category, which needs no encoder"):
        build_encoder(Feature("genre", "category", ("genre",)))
